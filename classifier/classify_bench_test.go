package classifier_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/adjutant-dev/adjutant/classifier"
)

const benchProse = "Please review the plan below and say which of the two ways you would take, and why. " +
	"We have three services that share one database, and the team wants to move the orders out first. " +
	"The second way keeps the tables where they are and puts an interface before them. " +
	"Both have to be done before the winter sale, with two people, and nobody may notice. "

func benchTasks() (names []string, tasks []classifier.Task) {
	for _, n := range []int{100, 400, 4 << 10, 100 << 10, 1 << 20} {
		text := strings.Repeat(benchProse, n/len(benchProse)+1)[:n]
		names = append(names, fmt.Sprintf("%d_bytes", n))
		tasks = append(tasks, classifier.Prompt(text))
	}
	var talk classifier.Task
	for i := range 20 {
		role := classifier.User
		if i%2 == 1 {
			role = classifier.Assistant
		}
		talk.Messages = append(talk.Messages, classifier.Message{Role: role, Content: benchProse})
	}
	talk.Messages = append(talk.Messages, classifier.Message{Role: classifier.User, Content: "and the same for the returns, please"})
	return append(names, "20_turns"), append(tasks, talk)
}

func BenchmarkClassify(b *testing.B) {
	c := classifier.Default()
	names, tasks := benchTasks()
	for i, task := range tasks {
		b.Run(names[i], func(b *testing.B) {
			size := 0
			for _, m := range task.Messages {
				size += len(m.Content)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Classify(context.Background(), task); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkClassifyParallel(b *testing.B) {
	c := classifier.Default()
	task := classifier.Prompt(benchProse)
	b.SetBytes(int64(len(benchProse)))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Classify(context.Background(), task); err != nil {
				b.Fatal(err)
			}
		}
	})
}
