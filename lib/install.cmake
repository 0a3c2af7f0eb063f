# cmake --install: what goes where. Programs are installed by program(). Below any prefix the layout is the same; only the
# configuration of a system-wide prefix lies in /etc, where tendd looks for it. DESTDIR is honoured everywhere.

# A file in which @PREFIX@ stands for the prefix, which is known only when it is installed.
function(install_with_prefix file destination)
  get_filename_component(name ${file} NAME)
  install(CODE "
    set(PREFIX \"\${CMAKE_INSTALL_PREFIX}\")
    configure_file(\"${CMAKE_SOURCE_DIR}/${file}\" \"${CMAKE_BINARY_DIR}/install/${destination}/${name}\" @ONLY)
    file(INSTALL \"${CMAKE_BINARY_DIR}/install/${destination}/${name}\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${destination}\"
         PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  ")
endfunction()

# A person's configuration is never written over.
install(CODE "
  set(tend_etc \"\${CMAKE_INSTALL_PREFIX}/etc/tend\")
  if(\"\${CMAKE_INSTALL_PREFIX}\" MATCHES \"^(/|/usr|/usr/local)/?$\")
    set(tend_etc /etc/tend)
  endif()
  if(NOT EXISTS \"\$ENV{DESTDIR}\${tend_etc}/tend.ini\")
    file(INSTALL \"${CMAKE_SOURCE_DIR}/conf/tend.ini\" DESTINATION \"\${tend_etc}\"
         PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  endif()
  file(INSTALL DESTINATION \"\${tend_etc}\" TYPE DIRECTORY FILES \"${CMAKE_BINARY_DIR}/install/secrets\"
       DIR_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
")
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/install/secrets)

file(GLOB examples RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/conf/*.ini)
list(REMOVE_ITEM examples conf/tend.ini)
install(FILES ${examples} conf/tend.rules.yml DESTINATION share/doc/tend/examples)

install(FILES conf/tend.1 DESTINATION share/man/man1)
install(FILES conf/tend.ini.5 DESTINATION share/man/man5)
install(FILES conf/tendd.8 conf/tend-keeper.8 DESTINATION share/man/man8)
install(FILES conf/completions/tend.bash DESTINATION share/bash-completion/completions RENAME tend)
install(FILES conf/completions/_tend DESTINATION share/zsh/site-functions)
install(FILES conf/completions/tend.fish DESTINATION share/fish/vendor_completions.d)

if(APPLE)
  # Copied to /Library/LaunchDaemons or ~/Library/LaunchAgents by whoever wants it to run.
  foreach(name tend.daemon tend.agent)
    install_with_prefix(launchd/${name}.plist share/tend/launchd)
  endforeach()
else()
  # systemd looks below /usr and /usr/local alike; never in lib/x86_64-linux-gnu, which GNUInstallDirs would say.
  file(GLOB units RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/systemd/*.service)
  foreach(unit IN LISTS units)
    install_with_prefix(${unit} lib/systemd/system)
  endforeach()
  file(GLOB units RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/systemd/user/*.service)
  foreach(unit IN LISTS units)
    install_with_prefix(${unit} lib/systemd/user)
  endforeach()
  install(FILES systemd/tend.sysusers DESTINATION lib/sysusers.d RENAME tend.conf OPTIONAL)
endif()
