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
	// repetition, making, judgment: [2.6901944 -2.123641 -1.3550167]
	// repetition, making, judgment: [-1.7161522 2.6170323 -1.7374707]
	// repetition, making, judgment: [-0.93686557 -1.554267 3.0020134]
}
