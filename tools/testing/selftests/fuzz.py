# SPDX-License-Identifier: GPL-2.0
"""Runs tools/testing/fuzz in the kernel that finds faults, and says which input was the last."""

import pathlib
import random
import re
import shutil
import subprocess

import ktap

TOP = pathlib.Path(__file__).resolve().parents[3]
CRATE = TOP / "tools/testing/fuzz"
PROGRAM = "macvtap-fuzz"
CORPUS = CRATE / "corpus"
OUT = TOP / "build/fuzz"

# In make test-debug: the same inputs are made up each time.
SEED = "1"
EXECUTIONS = 3000
# On a machine that does nothing else it takes a fraction of that.
SECONDS = 1200

# Of the machine, besides: it boots, and looks for what is lost.
MORE_SECONDS = 1800
# A scan for lost memory takes as long as there is memory.
MEMORY = 512

# The fuzzer's own, on the console or among what it prints.
_INPUT = re.compile(r"fuzz: input (\d+) ([0-9a-f]*)")
_KEPT = "corpus: "


def add_arguments(parser):
    parser.add_argument("--executions", metavar="N", type=int, default=EXECUTIONS,
                        help=f"of hostile input (default: {EXECUTIONS})")
    parser.add_argument("--seconds", metavar="N", type=int, default=SECONDS,
                        help=f"for hostile input, at most (default: {SECONDS})")
    parser.add_argument("--seed", metavar="N", default=SEED,
                        help=f'of hostile input, or "random" (default: {SEED})')
    parser.add_argument("--input", metavar="HEX", help="hostile input to run again")


def last_input(text):
    """What TEXT says was being run, and as which number; nothing if it does not say."""
    found = _INPUT.findall(text)
    # The console may have the log twice.
    return max(found, key=lambda one: int(one[0])) if found else None


def _instrumented_c():
    """A directory with the kernel's own modules, which are not instrumented in its tree."""
    tree = subprocess.run([TOP / "scripts/kernel-clang", "--debug"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
    out = OUT / "c"
    out.mkdir(parents=True, exist_ok=True)
    subprocess.run(["make", "-s", "-C", tree, "LLVM=1", f"M={CRATE}/c", f"MO={out}", "modules"],
                   check=True, stdout=subprocess.DEVNULL)
    return out


def run(vm, stage, options):
    """The results, with the programs in the directory STAGE."""
    modules = options.modules or "rust"
    seed = str(random.getrandbits(32)) if options.seed == "random" else options.seed
    directory = options.module_dir or (_instrumented_c() if modules == "c" else None)
    log = pathlib.Path(options.log or OUT / "log", f"fuzz-{modules}")
    shutil.rmtree(log, ignore_errors=True)
    # What make test-debug runs is to take no longer than it must.
    what = "minimise" if options.fuzz else "run"
    todo = f"{what} {seed} {options.executions} {options.seconds} corpus"
    if options.input:
        todo = f"replay {options.input}"
    command = [
        # Those that stand in for the kernel's own are taken along as ours are.
        vm, "--kernel", "debug", "--modules", "rust" if modules == "c" else modules,
        *(["--module-dir", directory] if directory else []), "--log", log,
        "--memory", str(MEMORY), "--timeout", str(options.seconds + MORE_SECONDS),
        "--program", f"{stage}:selftests", "--", "env", f"FUZZ={todo}",
        f"FUZZ_SECONDS={options.seconds}", "/root/selftests/suite", modules, "fuzz,debug",
    ]
    text, kept = "", []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          errors="replace") as process:
        for line in process.stdout:
            if line.strip().startswith(_KEPT):
                kept.append(line.strip().removeprefix(_KEPT))
            else:
                print(line, end="", flush=True)
                text += line
    results = ktap.parse(text)
    failed = ktap.FAILED in results.values()
    if process.returncode != (1 if failed else 0):
        results[f"the machine (status {process.returncode})"] = ktap.FAILED
    if ktap.FAILED in results.values():
        _tell(text, log / "console.log", seed)
    elif kept:
        _keep(kept)
    return results


def _tell(text, console, seed):
    """What to do to see it again."""
    said = console.read_text(errors="replace") if console.exists() else ""
    last = last_input(text + said)
    if last:
        print(f"# with seed {seed}, input {last[0]} was being run, or was the last one:\n"
              f"#   make fuzz INPUT={last[1]}", flush=True)


def _keep(inputs):
    path = OUT / "corpus"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{one}\n" for one in inputs))
    print(f"# {len(inputs)} inputs that meet all that was met are in {path.relative_to(TOP)}:\n"
          f"# to keep them, copy it to {CORPUS.relative_to(TOP)}", flush=True)
