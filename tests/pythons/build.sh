#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh RECIPE SOURCE-FOLDER PREFIX: compiles a CPython that Debian has no package of.
# SOURCE-FOLDER holds the downloaded source package python3.13_*.dsc. Called by pythons.py.
set -eu
recipe=$1 source=$2 prefix=$3
work=$prefix.build
rm -rf "$work"
mkdir -p "$work"
cd "$work"
dpkg-source --no-check -x "$source"/python3.13_*.dsc src >build.log 2>&1

case $recipe in
free-threaded)
	cd src
	./configure --prefix="$prefix.new" --with-ensurepip=no --disable-test-modules --disable-gil >>../build.log 2>&1
	;;
musl)
	command -v musl-gcc >/dev/null || { echo "build.sh: musl-gcc is missing: apt-get install musl-tools" >&2; exit 1; }
	# The kernel's headers, behind musl's own; the one question of configure that musl-gcc cannot answer; and the table of
	# unwind entries, which musl-gcc leaves out and the musl of distributions has.
	mkdir minc
	ln -s /usr/include/linux /usr/include/asm-generic minc/
	ln -s "/usr/include/$(gcc -dumpmachine | sed 's/-[^-]*-linux/-linux/;s/-pc-/-/')/asm" minc/asm
	cat >mcc <<-EOF
	#!/bin/sh
	case " \$* " in
	*" --print-multiarch "*) echo x86_64-linux-musl ;;
	*) exec musl-gcc "\$@" -idirafter $work/minc -Wl,--eh-frame-hdr ;;
	esac
	EOF
	chmod +x mcc
	cd src
	PKG_CONFIG=/bin/false ac_cv_header_zlib_h=no ac_cv_lib_z_gzread=no py_cv_module_zlib=n/a \
		CC="$work/mcc" CFLAGS=-O1 \
		./configure --prefix="$prefix.new" --with-ensurepip=no --disable-test-modules >>../build.log 2>&1
	;;
*)
	echo "build.sh: no recipe named $recipe" >&2
	exit 2
	;;
esac

nice -n 19 make -k -j2 >>../build.log 2>&1 || true
nice -n 19 make -k install >>../build.log 2>&1 || true
"$prefix.new/bin/python3" -c 'pass'
rm -rf "$prefix.new"/lib/python*/config-* "$prefix.new"/lib/python*/test
mv "$prefix.new" "$prefix"
cd /
rm -rf "$work"
