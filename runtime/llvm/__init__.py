"""graphc.runtime.llvm: the only part that knows llvmlite."""
