"""DET-6. The processor that a caged job sees where this one lets CPUID be trapped: the same everywhere.

It has what every x86-64-v2 processor has and says nothing of what only some have, so libraries that choose code by what
the processor can, choose the same everywhere. Leaf 4 describes caches, since the C library divides by their sizes.
"""

from typing import Final

_VENDOR: Final = (0x756E_6547, 0x6C65_746E, 0x4965_6E69)
"""GenuineIntel, in EBX, ECX, EDX: of an unknown maker the C library asks nothing about caches."""
_SIGNATURE: Final = 0x0002_06A7
_FEATURES_C: Final = 1 << 0 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23
"""SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT. No RDRAND, no OSXSAVE, so no AVX."""
_FEATURES_D: Final = 0x078B_FBFF
"""FPU, TSC, CMOV, MMX, FXSR, SSE, SSE2 and what came with them."""
_CACHES: Final = {
    0: (0x0000_0121, 7 << 22 | 63, 63, 0),  # data, 32 KiB, 8 ways of 64 bytes
    1: (0x0000_0122, 7 << 22 | 63, 63, 0),  # instructions, the same
    2: (0x0000_0143, 7 << 22 | 63, 511, 0),  # both, 256 KiB
    3: (0x0000_0163, 15 << 22 | 63, 8191, 6),  # both, 8 MiB, 16 ways
}
_LEAVES: Final = {
    0: (7, *_VENDOR),
    1: (_SIGNATURE, 0x0001_0800, _FEATURES_C, _FEATURES_D),
    2: (0x00FF_FF01, 0, 0, 0),
    0x8000_0000: (0x8000_0008, 0, 0, 0),
    0x8000_0001: (0, 0, 1, 1 << 11 | 1 << 20 | 1 << 27 | 1 << 29),  # LAHF; SYSCALL, NX, RDTSCP, long mode
    0x8000_0006: (0, 0, 0x0100_6040, 0),
    0x8000_0008: (0x0000_3028, 0, 0, 0),
}
WITH_PARTS: Final = frozenset({4, 7, 0xB, 0xD})
"""Leaves that have parts, by ECX; of the others it may hold anything."""
HARDWARE: Final = _FEATURES_D
"""What AT_HWCAP is on x86-64: EDX of leaf 1."""

Leaf = tuple[int, int, int, int]


def cpuid(leaf: int, sub: int) -> Leaf:
    """EAX, EBX, ECX, EDX."""
    if leaf == 4:
        return _CACHES.get(sub, (0, 0, 0, 0))
    return _LEAVES.get(leaf, (0, 0, 0, 0))
