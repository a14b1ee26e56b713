package encoder_test

import (
	"context"
	"fmt"

	"github.com/adjutant-dev/adjutant/classifier/encoder"
)

func ExampleEncoder_Logits() {
	for _, ask := range []string{
		"Rename these files to kebab-case: MyReport.pdf, Q3 Numbers.xlsx",
		"Write a function that merges two sorted linked lists, with tests.",
		"Two of our services deadlock under load once a week. Where would you look first, and what would you change?",
	} {
		logits, err := encoder.Default().Logits(context.Background(), ask)
		if err != nil {
			panic(err)
		}
		// All digits: every machine and every kernel gives the same.
		fmt.Println("repetition, making, judgment:", logits)
	}
	// Output:
	// repetition, making, judgment: [2.9822707 -2.201715 -1.5413898]
	// repetition, making, judgment: [-1.677345 2.8685396 -1.5416346]
	// repetition, making, judgment: [-1.201252 -1.1884048 3.364752]
}
