# Packages, by cpack in the build folder of the preset "release": tend_VERSION_ARCH.deb, and by
# cpack --config CPackSourceConfig.cmake the sources. What only Debian wants lies in systemd/debian.
set(CPACK_PACKAGE_NAME tend)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR "the authors of tend")
# Whoever builds it for others answers for it: as Debian's own tools take it from the environment. Else nobody is named who
# does not know of it.
set(CPACK_PACKAGE_CONTACT "the authors of tend <tend@tend.invalid>")
if(NOT "$ENV{DEBEMAIL}" STREQUAL "")
  set(name "$ENV{DEBFULLNAME}")
  if(name STREQUAL "")
    set(name "the authors of tend")
  endif()
  set(CPACK_PACKAGE_CONTACT "${name} <$ENV{DEBEMAIL}>")
endif()
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "folders in the cloud and services running, from one ini file")
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
# /etc is no part of the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
# Else folders get whatever umask the builder has.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "init-system-helpers (>= 1.52), passwd")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, openssh-client")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "git, ufw")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "tendd sends what changes in folders to cloud storage within seconds (S3, Google
Drive, WebDAV, Azure, SFTP or a mounted disk), live databases as consistent
images, and keeps old versions to come back to. It brings a new machine up step
by step, starts its services in order and keeps them running. tend is the
command that talks to it.")
set(debian ${CMAKE_SOURCE_DIR}/systemd/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/preinst ${debian}/postinst ${debian}/prerm ${debian}/postrm ${debian}/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/lib/package_debian.cmake)
set(CPACK_TEND_SOURCE ${CMAKE_SOURCE_DIR})

set(CPACK_SOURCE_GENERATOR TXZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME tend-${PROJECT_VERSION})
set(CPACK_SOURCE_IGNORE_FILES "/\\\\.git(/|$)" "^${CMAKE_SOURCE_DIR}/build/" "/__pycache__/" "/\\\\.cache/")
include(CPack)
