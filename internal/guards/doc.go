// Guards proves that the tests have teeth. Each file in patches removes one
// guard: a compare-and-set, a recover, a limit. With the patch the named tests
// must fail, and say what the patch foresees; without it they must pass.
//
//	go run ./internal/guards           every guard
//	go run ./internal/guards epoch     those with "epoch" in their names
package main
