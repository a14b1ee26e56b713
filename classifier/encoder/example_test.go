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
	// repetition, making, judgment: [3.128788 -1.7267725 -1.8174183]
	// repetition, making, judgment: [-1.1627755 1.9788686 -1.754865]
	// repetition, making, judgment: [-1.4428042 -1.586353 3.8283396]
}
