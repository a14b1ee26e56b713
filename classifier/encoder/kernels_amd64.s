#include "go_asm.h"
#include "textflag.h"

// Each function does what the one of kernels.go without AVX2 in its name does,
// in the same order where floats are added.

DATA one<>(SB)/8, $1.0
GLOBL one<>(SB), RODATA|NOPTR, $8
DATA epsilon<>(SB)/8, $1e-12
GLOBL epsilon<>(SB), RODATA|NOPTR, $8
DATA half<>(SB)/4, $0.5
GLOBL half<>(SB), RODATA|NOPTR, $4
DATA lowest<>(SB)/4, $0xff800000 // -Inf
GLOBL lowest<>(SB), RODATA|NOPTR, $4

// y, whose lower half is x, becomes eight times the integer n as float32.
#define BROADCAST(n, x, y) \
	MOVL         $n, AX; \
	VMOVD        AX, x;  \
	VPBROADCASTD x, y;   \
	VCVTDQ2PS    y, y

// Folds the eight numbers of y, whose lower half is x, into its lowest.
#define FOLD(operation, x, y) \
	VEXTRACTI128 $1, y, X15;     \
	operation    X15, x, x;      \
	VPSHUFD      $0x4e, x, X15;  \
	operation    X15, x, x;      \
	VPSHUFD      $0xb1, x, X15;  \
	operation    X15, x, x

// A row's sums begin at what Winograd's identity subtracts: minus the cross of
// the row, minus those of the channels, which are in Y8 and Y9.
#define BEGIN_ROW(row, lo, hi) \
	VPBROADCASTD (4*row)(R11), Y10; \
	VPADDD       Y10, Y8, lo;       \
	VPADDD       Y10, Y9, hi;       \
	VPSUBD       lo, Y11, lo;       \
	VPSUBD       hi, Y11, hi

// Four inputs of a row, a₀ to a₃: (a₀+w₂, a₁+w₃) × (a₂+w₀, a₃+w₁), both products
// of a channel added in int32.
#define MULTIPLY_ROW(row, lo, hi) \
	VPBROADCASTD (row)(AX*8), Y12;  \
	VPBROADCASTD 4(row)(AX*8), Y13; \
	VPADDW       Y10, Y12, Y14;     \
	VPADDW       Y8, Y13, Y15;      \
	VPADDW       Y11, Y12, Y12;     \
	VPADDW       Y9, Y13, Y13;      \
	VPMADDWD     Y14, Y15, Y15;     \
	VPMADDWD     Y12, Y13, Y13;     \
	VPADDD       Y15, lo, lo;       \
	VPADDD       Y13, hi, hi

// A row's sums become floats: times step × scale (Y8, Y9), plus bias (Y10, Y11).
#define STORE_ROW(row, lo, hi) \
	VBROADCASTSS (4*row)(R11), Y12; \
	VMULPS       Y8, Y12, Y13;      \
	VMULPS       Y9, Y12, Y14;      \
	VCVTDQ2PS    lo, lo;            \
	VCVTDQ2PS    hi, hi;            \
	VMULPS       Y13, lo, lo;       \
	VMULPS       Y14, hi, hi;       \
	VADDPS       Y10, lo, lo;       \
	VADDPS       Y11, hi, hi;       \
	VMOVUPS      lo, (DI);          \
	VMOVUPS      hi, 32(DI);        \
	ADDQ         R12, DI

// func productAVX2(dst *float32, width int, a *int16, stride int, w *byte, fours int, step *[4]float32, scale, bias *[16]float32, aCross *[4]int32, wCross *[16]int32)
//
// Y0..Y7 hold the 4×16 sums: row r in Y(2r) (channels 0-7) and Y(2r+1) (8-15).
// Each turn takes four inputs of all 16 channels: 64 bytes of weights, widened
// to int16, w₀ and w₁ in Y8 and Y9, w₂ and w₃ in Y10 and Y11.
TEXT ·productAVX2(SB), NOSPLIT, $0-88
	MOVQ    aCross+72(FP), R11
	MOVQ    wCross+80(FP), R12
	VMOVDQU (R12), Y8
	VMOVDQU 32(R12), Y9
	VPXOR   Y11, Y11, Y11
	BEGIN_ROW(0, Y0, Y1)
	BEGIN_ROW(1, Y2, Y3)
	BEGIN_ROW(2, Y4, Y5)
	BEGIN_ROW(3, Y6, Y7)
	MOVQ    a+16(FP), SI
	MOVQ    stride+24(FP), BX
	MOVQ    w+32(FP), DX
	MOVQ    fours+40(FP), CX
	LEAQ    (SI)(BX*1), R8
	LEAQ    (R8)(BX*1), R9
	LEAQ    (R9)(BX*1), R10
	XORQ    AX, AX
	PCALIGN $32

loop:
	VPMOVSXBW (DX), Y8
	VPMOVSXBW 16(DX), Y9
	VPMOVSXBW 32(DX), Y10
	VPMOVSXBW 48(DX), Y11
	MULTIPLY_ROW(SI, Y0, Y1)
	MULTIPLY_ROW(R8, Y2, Y3)
	MULTIPLY_ROW(R9, Y4, Y5)
	MULTIPLY_ROW(R10, Y6, Y7)
	PREFETCHT0 1024(DX) // weights are far larger than the second cache
	ADDQ       $64, DX
	INCQ       AX
	CMPQ       AX, CX
	JLT        loop

	MOVQ    dst+0(FP), DI
	MOVQ    width+8(FP), R12
	MOVQ    step+48(FP), R11
	MOVQ    scale+56(FP), R8
	MOVQ    bias+64(FP), R9
	VMOVUPS (R8), Y8
	VMOVUPS 32(R8), Y9
	VMOVUPS (R9), Y10
	VMOVUPS 32(R9), Y11
	STORE_ROW(0, Y0, Y1)
	STORE_ROW(1, Y2, Y3)
	STORE_ROW(2, Y4, Y5)
	STORE_ROW(3, Y6, Y7)
	VZEROUPPER
	RET

// func crossAVX2(q *int16, n int) int32
TEXT ·crossAVX2(SB), NOSPLIT, $0-20
	MOVQ  q+0(FP), SI
	MOVQ  n+8(FP), CX
	VPXOR Y0, Y0, Y0

loop:
	VMOVDQU  (SI), Y1
	VPSRLQ   $32, Y1, Y2 // of each four, the last two
	VPMADDWD Y1, Y2, Y1
	VPADDD   Y1, Y0, Y0
	ADDQ     $32, SI
	SUBQ     $16, CX
	JNZ      loop

	FOLD(VPADDD, X0, Y0)
	VMOVD X0, AX
	MOVL  AX, ret+16(FP)
	VZEROUPPER
	RET

// func largestAVX2(x *float32, n int) float32
TEXT ·largestAVX2(SB), NOSPLIT, $0-20
	MOVQ     x+0(FP), SI
	MOVQ     n+8(FP), CX
	VPXOR    Y0, Y0, Y0
	VPXOR    Y1, Y1, Y1
	VPCMPEQD Y2, Y2, Y2
	VPSRLD   $1, Y2, Y2 // all bits but the sign

loop:
	VPAND   (SI), Y2, Y3
	VPAND   32(SI), Y2, Y4
	VPMAXUD Y3, Y0, Y0
	VPMAXUD Y4, Y1, Y1
	ADDQ    $64, SI
	SUBQ    $16, CX
	JNZ     loop

	VPMAXUD Y1, Y0, Y0
	FOLD(VPMAXUD, X0, Y0)
	VMOVSS  X0, ret+16(FP)
	VZEROUPPER
	RET

// func widenAVX2(most, x *float32, n int)
TEXT ·widenAVX2(SB), NOSPLIT, $0-24
	MOVQ     most+0(FP), DI
	MOVQ     x+8(FP), SI
	MOVQ     n+16(FP), CX
	VPCMPEQD Y0, Y0, Y0
	VPSRLD   $1, Y0, Y0 // all bits but the sign

loop:
	VPAND   (SI), Y0, Y1
	VPMAXUD (DI), Y1, Y1
	VMOVDQU Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $8, CX
	JNZ     loop

	VZEROUPPER
	RET

// func roundAVX2(q *int16, x *float32, n int, factor float32)
TEXT ·roundAVX2(SB), NOSPLIT, $0-28
	MOVQ         q+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS factor+24(FP), Y0
	BROADCAST(const_toInteger, X1, Y1)
	VPCMPEQD     Y2, Y2, Y2
	VPSRLD       $16, Y2, Y2 // the low half of each float

loop:
	VMULPS    (SI), Y0, Y3
	VMULPS    32(SI), Y0, Y4
	VADDPS    Y1, Y3, Y3
	VADDPS    Y1, Y4, Y4
	VPAND     Y2, Y3, Y3
	VPAND     Y2, Y4, Y4
	VPACKUSDW Y4, Y3, Y3
	VPERMQ    $0xd8, Y3, Y3 // packing goes by halves of a register
	VMOVDQU   Y3, (DI)
	ADDQ      $64, SI
	ADDQ      $32, DI
	SUBQ      $16, CX
	JNZ       loop

	VZEROUPPER
	RET

// Eight channels, from offset on: inputs 0 and 1 side by side as int16 in a,
// inputs 2 and 3 in b.
#define ROUND_FOUR(offset, factor, a, b) \
	VMULPS   offset(SI), factor, a;         \
	VMULPS   offset(SI)(BX*1), factor, Y14; \
	VMULPS   offset(SI)(BX*2), factor, b;   \
	VMULPS   offset(R8)(BX*1), factor, Y15; \
	VADDPS   Y13, a, a;                     \
	VADDPS   Y13, Y14, Y14;                 \
	VADDPS   Y13, b, b;                     \
	VADDPS   Y13, Y15, Y15;                 \
	VPSLLD   $16, Y14, Y14;                 \
	VPSLLD   $16, Y15, Y15;                 \
	VPBLENDW $0xaa, Y14, a, a;              \
	VPBLENDW $0xaa, Y15, b, b

// func roundFourAVX2(w *byte, cross *[16]int32, x *float32, width int, factor *[16]float32)
TEXT ·roundFourAVX2(SB), NOSPLIT, $0-40
	MOVQ      w+0(FP), DI
	MOVQ      cross+8(FP), R9
	MOVQ      x+16(FP), SI
	MOVQ      width+24(FP), BX
	MOVQ      factor+32(FP), DX
	LEAQ      (SI)(BX*2), R8
	BROADCAST(const_toInteger, X13, Y13)
	VMOVUPS   (DX), Y8
	VMOVUPS   32(DX), Y9
	ROUND_FOUR(0, Y8, Y0, Y1)
	ROUND_FOUR(32, Y9, Y2, Y3)
	VPMADDWD  Y0, Y1, Y4
	VPMADDWD  Y2, Y3, Y5
	VPADDD    (R9), Y4, Y4
	VPADDD    32(R9), Y5, Y5
	VMOVDQU   Y4, (R9)
	VMOVDQU   Y5, 32(R9)
	VPACKSSWB Y2, Y0, Y0
	VPACKSSWB Y3, Y1, Y1
	VPERMQ    $0xd8, Y0, Y0 // packing goes by halves of a register
	VPERMQ    $0xd8, Y1, Y1
	VMOVDQU   Y0, (DI)
	VMOVDQU   Y1, 32(DI)
	VZEROUPPER
	RET

// func addAVX2(x, y, gain, bias *float32, n int)
TEXT ·addAVX2(SB), NOSPLIT, $0-40
	MOVQ   x+0(FP), DI
	MOVQ   y+8(FP), SI
	MOVQ   gain+16(FP), R8
	MOVQ   bias+24(FP), R9
	MOVQ   n+32(FP), CX
	SHLQ   $2, CX // bytes
	VXORPS Y0, Y0, Y0
	XORQ   BX, BX

add:
	VMOVUPS (DI)(BX*1), Y1
	VADDPS  (SI)(BX*1), Y1, Y1
	VMOVUPS Y1, (DI)(BX*1)
	VADDPS  Y1, Y0, Y0
	ADDQ    $32, BX
	CMPQ    BX, CX
	JLT     add

	FOLD(VADDPS, X0, Y0)
	VCVTSI2SSQ   n+32(FP), X3, X3
	VDIVSS       X3, X0, X0
	VBROADCASTSS X0, Y0 // mean
	VXORPS       Y2, Y2, Y2
	XORQ         BX, BX

squares:
	VMOVUPS (DI)(BX*1), Y1
	VSUBPS  Y0, Y1, Y1
	VMULPS  Y1, Y1, Y1
	VADDPS  Y1, Y2, Y2
	ADDQ    $32, BX
	CMPQ    BX, CX
	JLT     squares

	FOLD(VADDPS, X2, Y2)
	VDIVSS       X3, X2, X2
	VCVTSS2SD    X2, X2, X2
	VADDSD       epsilon<>(SB), X2, X2
	VSQRTSD      X2, X2, X2
	VMOVSD       one<>(SB), X3
	VDIVSD       X2, X3, X2
	VCVTSD2SS    X2, X2, X2
	VBROADCASTSS X2, Y2 // 1 / deviation
	XORQ         BX, BX

scale:
	VMOVUPS (DI)(BX*1), Y1
	VSUBPS  Y0, Y1, Y1
	VMULPS  Y2, Y1, Y1
	VMULPS  (R8)(BX*1), Y1, Y1
	VADDPS  (R9)(BX*1), Y1, Y1
	VMOVUPS Y1, (DI)(BX*1)
	ADDQ    $32, BX
	CMPQ    BX, CX
	JLT     scale

	VZEROUPPER
	RET

// Eight scores, from offset on, become weights in w, as int32, and are added to
// Y9. Those not less than expEntries (predicate 1), NaN too, get 0 and read no
// table.
#define WEIGH(offset, w) \
	VSUBPS     offset(SI), Y0, Y1; \
	VMULPS     Y5, Y1, Y1;         \
	VADDPS     Y6, Y1, Y1;         \
	VCMPPS     $1, Y7, Y1, Y2;     \
	VCVTTPS2DQ Y1, Y1;             \
	VPXOR      w, w, w;            \
	VPGATHERDD Y2, (R8)(Y1*2), w;  \
	VPAND      Y8, w, w;           \
	VPADDD     w, Y9, Y9

// func softmaxAVX2(weights *int16, scores *float32, n int) (sum int32)
TEXT ·softmaxAVX2(SB), NOSPLIT, $0-28
	MOVQ         weights+0(FP), DI
	MOVQ         scores+8(FP), SI
	MOVQ         n+16(FP), CX
	LEAQ         (SI)(CX*4), CX // their end
	MOVQ         SI, BX
	VBROADCASTSS lowest<>(SB), Y0

largest:
	VMOVUPS (BX), Y1
	VMAXPS  Y0, Y1, Y0 // Y0 stays where a score is NaN
	ADDQ    $32, BX
	CMPQ    BX, CX
	JLT     largest

	FOLD(VMAXPS, X0, Y0)
	VBROADCASTSS X0, Y0
	BROADCAST(const_expSteps, X5, Y5)
	VBROADCASTSS half<>(SB), Y6
	BROADCAST(const_expEntries, X7, Y7)
	VPCMPEQD     Y8, Y8, Y8
	VPSRLD       $16, Y8, Y8 // one of the two entries read
	VPXOR        Y9, Y9, Y9
	LEAQ         ·expTable(SB), R8

weigh:
	WEIGH(0, Y3)
	WEIGH(32, Y4)
	VPACKUSDW Y4, Y3, Y3
	VPERMQ    $0xd8, Y3, Y3 // packing goes by halves of a register
	VMOVDQU   Y3, (DI)
	ADDQ      $64, SI
	ADDQ      $32, DI
	CMPQ      SI, CX
	JLT       weigh

	FOLD(VPADDD, X9, Y9)
	VMOVD X9, AX
	MOVL  AX, sum+24(FP)
	VZEROUPPER
	RET

// func geluAVX2(x *float32, n int)
TEXT ·geluAVX2(SB), NOSPLIT, $0-16
	MOVQ         x+0(FP), SI
	MOVQ         n+8(FP), CX
	LEAQ         ·geluFit(SB), R8
	VBROADCASTSS (R8), Y0       // a₀
	VBROADCASTSS 4(R8), Y1
	VBROADCASTSS 8(R8), Y2
	VBROADCASTSS 12(R8), Y3
	VBROADCASTSS 16(R8), Y4     // b₁
	VBROADCASTSS 20(R8), Y5
	VBROADCASTSS 24(R8), Y6
	VBROADCASTSS 28(R8), Y7     // bound
	VXORPS       Y8, Y8, Y8
	VSUBPS       Y7, Y8, Y8     // -bound
	BROADCAST(1, X9, Y9)
	VBROADCASTSS half<>(SB), Y10

loop:
	VMOVUPS (SI), Y11
	VMAXPS  Y11, Y8, Y11  // v
	VMINPS  Y11, Y7, Y12  // u
	VMULPS  Y12, Y12, Y13 // t
	VMULPS  Y13, Y3, Y14
	VMULPS  Y13, Y6, Y15
	VADDPS  Y2, Y14, Y14
	VADDPS  Y5, Y15, Y15
	VMULPS  Y13, Y14, Y14
	VMULPS  Y13, Y15, Y15
	VADDPS  Y1, Y14, Y14
	VADDPS  Y4, Y15, Y15
	VMULPS  Y13, Y14, Y14
	VMULPS  Y13, Y15, Y15
	VADDPS  Y0, Y14, Y14  // p
	VADDPS  Y9, Y15, Y15  // q
	VMULPS  Y14, Y12, Y12
	VDIVPS  Y15, Y12, Y12
	VADDPS  Y10, Y12, Y12
	VMULPS  Y12, Y11, Y11
	VMOVUPS Y11, (SI)
	ADDQ    $32, SI
	SUBQ    $8, CX
	JNZ     loop

	VZEROUPPER
	RET
