#include "textflag.h"

// func dotAVX2(dst *[64]int32, a *int16, stride int, w *byte, pairs int)
//
// Y0..Y7 hold the 4×16 sums: row r in Y(2r) (channels 0-7) and Y(2r+1) (8-15).
// Each turn takes two inputs of all 16 channels: 32 bytes of weights, widened
// to int16, times the two activations of each row, broadcast. VPMADDWD adds
// the two products of a channel in int32, so nothing saturates.
TEXT ·dotAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ stride+16(FP), BX
	MOVQ w+24(FP), DX
	MOVQ pairs+32(FP), CX
	LEAQ (SI)(BX*1), R8
	LEAQ (R8)(BX*1), R9
	LEAQ (R9)(BX*1), R10
	XORQ AX, AX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7

loop:
	VPMOVSXBW    (DX), Y8
	VPMOVSXBW    16(DX), Y9
	VPBROADCASTD (SI)(AX*4), Y10
	VPBROADCASTD (R8)(AX*4), Y11
	VPMADDWD     Y8, Y10, Y12
	VPMADDWD     Y9, Y10, Y13
	VPMADDWD     Y8, Y11, Y14
	VPMADDWD     Y9, Y11, Y15
	VPADDD       Y12, Y0, Y0
	VPADDD       Y13, Y1, Y1
	VPADDD       Y14, Y2, Y2
	VPADDD       Y15, Y3, Y3
	VPBROADCASTD (R9)(AX*4), Y10
	VPBROADCASTD (R10)(AX*4), Y11
	VPMADDWD     Y8, Y10, Y12
	VPMADDWD     Y9, Y10, Y13
	VPMADDWD     Y8, Y11, Y14
	VPMADDWD     Y9, Y11, Y15
	VPADDD       Y12, Y4, Y4
	VPADDD       Y13, Y5, Y5
	VPADDD       Y14, Y6, Y6
	VPADDD       Y15, Y7, Y7
	ADDQ         $32, DX
	INCQ         AX
	CMPQ         AX, CX
	JLT          loop

	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, 64(DI)
	VMOVDQU Y3, 96(DI)
	VMOVDQU Y4, 128(DI)
	VMOVDQU Y5, 160(DI)
	VMOVDQU Y6, 192(DI)
	VMOVDQU Y7, 224(DI)
	VZEROUPPER
	RET
