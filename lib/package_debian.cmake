# Run by cpack between installing into its staging folder and packing that: what Debian's policy wants besides.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
set(debian ${CPACK_TEND_SOURCE}/systemd/debian)
set(root ${CPACK_TEMPORARY_DIRECTORY})
set(doc ${root}/usr/share/doc/tend)

function(compress)
  execute_process(COMMAND gzip -9nf ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(GLOB pages ${root}/usr/share/man/man*/*.[0-9])
compress(${pages})

# Where Debian's zsh looks.
file(RENAME ${root}/usr/share/zsh/site-functions ${root}/usr/share/zsh/vendor-completions)

file(READ ${debian}/copyright.in text)
file(STRINGS ${CPACK_TEND_SOURCE}/LICENSE lines)
set(begun FALSE)
foreach(line IN LISTS lines)
  if(line MATCHES "^Permission is")
    set(begun TRUE)
  endif()
  if(begun)
    string(APPEND text " ${line}\n")
  endif()
endforeach()
# An empty line would end the field; file(STRINGS) drops them, and the paragraphs begin with these words.
string(REPLACE "\n The above" "\n .\n The above" text "${text}")
string(REPLACE "\n THE SOFTWARE IS" "\n .\n THE SOFTWARE IS" text "${text}")
file(WRITE ${doc}/copyright "${text}")

file(COPY ${CPACK_TEND_SOURCE}/CHANGES DESTINATION ${doc})
file(RENAME ${doc}/CHANGES ${doc}/changelog)
# The same twice gives the same package: the date is that of the sources where it is known.
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(COMMAND date -uRd "@$ENV{SOURCE_DATE_EPOCH}" OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE)
else()
  execute_process(COMMAND date -uRr ${CPACK_TEND_SOURCE}/CHANGES OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
file(WRITE ${doc}/changelog.Debian
"tend (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * What changed stands in changelog.gz beside this file.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
compress(${doc}/changelog ${doc}/changelog.Debian)

file(COPY ${debian}/README.Debian DESTINATION ${doc})
file(MAKE_DIRECTORY ${root}/etc/needrestart/conf.d)
file(COPY ${debian}/needrestart.conf DESTINATION ${root}/etc/needrestart/conf.d)
file(RENAME ${root}/etc/needrestart/conf.d/needrestart.conf ${root}/etc/needrestart/conf.d/tend.conf)
file(MAKE_DIRECTORY ${root}/usr/share/lintian/overrides)
file(COPY ${debian}/lintian-overrides DESTINATION ${root}/usr/share/lintian/overrides)
file(RENAME ${root}/usr/share/lintian/overrides/lintian-overrides ${root}/usr/share/lintian/overrides/tend)
file(GLOB written ${doc}/copyright ${doc}/README.Debian ${doc}/changelog*.gz ${root}/etc/needrestart/conf.d/tend.conf
     ${root}/usr/share/lintian/overrides/tend ${root}/usr/share/man/man*/*.gz)
file(CHMOD ${written} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
