#!/bin/sh
# Stands in for the installer of Miniconda, which is not to be had without a network: takes its options, leaves its layout. The pip in
# it "installs" notebook and glances by pointing to those of the distribution.
set -eu
prefix='' update=0
while getopts bup: option; do
	case $option in
	b) ;;
	u) update=1 ;;
	p) prefix=$OPTARG ;;
	*) exit 2 ;;
	esac
done
[ -n "$prefix" ] && [ -n "${HOME:-}" ]
[ ! -e "$prefix" ] || [ "$update" = 1 ]
mkdir -p "$prefix/bin" "$prefix/conda-meta" "$prefix/etc/conda/activate.d"
echo '==> installed <==' >"$prefix/conda-meta/history"
ln -sf /usr/bin/python3 "$prefix/bin/python"
cat >"$prefix/bin/pip" <<'PIP'
#!/bin/sh
set -eu
[ "$1" = install ]
shift
bin=$(dirname "$0")
for name in "$@"; do
	case $name in
	notebook) program=jupyter ;;
	glances) program=glances ;;
	*) continue ;;
	esac
	printf '#!/bin/sh\nexec /usr/bin/%s "$@"\n' "$program" >"$bin/$program"
	chmod 755 "$bin/$program"
done
PIP
chmod 755 "$prefix/bin/pip"
