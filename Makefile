# SPDX-License-Identifier: GPL-2.0
#
# What users and developers type. How the modules are built is in Kbuild; what
# the targets do is in the scripts that they call.

.DEFAULT_GOAL := modules

# The kernel tree to build for; "make help" tells the default.
KDIR ?=

help:
	@sed -n 's/^#: \{0,1\}//p' $(MAKEFILE_LIST)

#: Usage: make [TARGET] [KDIR=<kernel tree>]
#:
#:   run          boot a QEMU guest through the modules, in a test machine
#:   test         run all tests, on the kernel's own modules in C and on these
#:   walk         the random walks of test alone, e.g. SEEDS=1-64 STEPS=2000
#:   stress       have everything race with everything, on the kernel's own modules and
#:                on these; test-debug does so in a kernel that notices more
#:   coverage     tell which lines of our modules the tests do not run
#:   test-model   explore how the queue table's users can interleave, and look for
#:                hostile input that does harm: our sources, on this machine
#:   test-build   test what the build says if something is missing, and the
#:                kernel's own way to build modules
#:   test-kernels run the suite in other kernels than Debian's newest: 7.2, one
#:                built with clang, and with the drivers in its tree
#:   test-debug   run the suite in a kernel that finds faults, and has some on
#:                request; with MODULES=c on the kernel's own modules
#:   fuzz         look longer for hostile input that does harm in that kernel, e.g.
#:                EXECS=100000 SECONDS=3600 SEED=2, with MODULES=c in the kernel's
#:                own modules, with INPUT=<hex> for one input only
#:   kcsan        tell where the kernel's own modules access memory while another
#:                processor does, or with MODULES=rust the helpers of ours in C
#:   test-guest   boot a Linux guest on links of each mix of the modules, and have
#:                TCP connections over them
#:   test-systems run what is built around the modules, such as libvirt, with the kernel's
#:                own modules and these, or less of it: ONLY=libvirt, MODULES=rust
#:   bench        measure what the paths through the modules cost, in C and in ours,
#:                in instructions: a table and a chart in build/bench
#:   bench-guest  measure what a guest gets, in seconds: on C's modules and on ours in
#:                turns, and with passt instead; with PAIRS=10 of them
#:   bench-check  measure some of them, and tell whether one got worse
#:   modules      build tap.ko and macvtap.ko (the default), below build/
#:   doc          build the documentation of the Rust code, below build/doc
#:   kernel-debug build the kernel that finds faults, for the KUnit suites in the
#:                modules; "make test" does so if it is missing
#:   install      install the modules for the running kernel, or that of KDIR,
#:                and the udev rule: below DESTDIR or INSTALL_MOD_PATH, if given
#:   uninstall    remove what install installed
#:   tool         build the command macvtap, its manual pages and completions, below
#:                build/tool
#:   install-tool install them, below /usr/local, or PREFIX, in DESTDIR if given;
#:                uninstall-tool removes them
#:   shell        a shell in a test machine with the modules loaded
#:   lint         check formatting, run clippy, checkpatch and shellcheck, and look
#:                for panics and for unsafe code without a reason
#:   format       format the Rust sources
#:   clean        remove what was built, but not the cache
#:   help         this text
#:
#: modules builds for the kernel tree KDIR, if that is given. Otherwise it builds
#: for the running kernel if its build tree is prepared for modules in Rust and
#: the installed rustc is the one it was built with. Failing that, and for all
#: test machines, Debian's stock kernel is used. What that needs is downloaded once,
#: as root, into a cache:
#:
#:   MACVTAP_CACHE   where; the default is macvtap-rust in $XDG_CACHE_HOME or
#:                   ~/.cache
#:   DEBIAN_MIRROR   where from; the default is the mirror of this machine's apt

modules:
	+@scripts/build-modules $(if $(KDIR),--kdir '$(KDIR)')

install:
	+@scripts/install-modules $(if $(KDIR),--kdir '$(KDIR)')

uninstall:
	@scripts/install-modules --remove $(if $(KDIR),--kdir '$(KDIR)')

tool:
	@scripts/build-tool

install-tool:
	@scripts/install-tool

uninstall-tool:
	@scripts/install-tool --remove

run:
	@tools/testing/vm/demo

test:
	@tools/testing/selftests/run

walk:
	@tools/testing/selftests/run --walk $(if $(SEEDS),--seeds '$(SEEDS)') \
		$(if $(STEPS),--steps '$(STEPS)')

stress:
	@tools/testing/selftests/run --only stress

coverage:
	@tools/testing/coverage/coverage

test-model:
	@tools/testing/model/run

test-build:
	@tools/testing/build/selftest

test-kernels:
	@tools/testing/selftests/run --other-kernels

test-debug:
	@tools/testing/selftests/run --kernel debug --modules $(or $(MODULES),rust)

fuzz:
	@tools/testing/selftests/run --fuzz --seed $(or $(SEED),random) \
		--executions $(or $(EXECS),1000000) --seconds $(or $(SECONDS),600) \
		$(if $(MODULES),--modules '$(MODULES)') $(if $(INPUT),--input '$(INPUT)')

kcsan:
	@tools/testing/kcsan/kcsan --modules $(or $(MODULES),c)

test-guest:
	@tools/testing/selftests/run --only guest

test-systems:
	@tools/testing/selftests/run --systems $(if $(ONLY),--only '$(ONLY)') \
		$(if $(MODULES),--modules '$(MODULES)')

bench:
	@tools/testing/bench/bench

bench-guest:
	@tools/testing/bench/guest $(if $(PAIRS),--pairs '$(PAIRS)')

bench-check:
	@tools/testing/bench/bench --check

doc:
	@scripts/build-doc

kernel-debug:
	@scripts/kernel-clang --debug

shell:
	@tools/testing/vm/vm --modules rust --shell

lint:
	@scripts/lint

format:
	@scripts/lint --format

clean:
	$(RM) -r build

.PHONY: help modules install uninstall tool install-tool uninstall-tool run test walk stress coverage \
	test-model test-build test-kernels test-debug fuzz kcsan test-guest test-systems bench bench-guest \
	bench-check doc kernel-debug shell lint format clean
