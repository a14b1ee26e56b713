package main

import (
	"runtime"
	"syscall"
	"time"
)

// sleep is finer than time.Sleep, which wakes up to a millisecond late on an idle
// process: a millisecond's calls would go out together.
func sleep(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	wait := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&wait, nil) // woken early, the next sleep is the longer
}
