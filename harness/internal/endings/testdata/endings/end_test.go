package endings

import (
	"fmt"
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
)

var how, where = os.Getenv("ENDING_HOW"), os.Getenv("ENDING_WHERE")

func at(place string) {
	if place == where {
		fmt.Println("ending:", how)
		End(how)
	}
}

func init() { at("init") }

func TestMain(m *testing.M) {
	at("before")
	code := m.Run()
	at("after")
	os.Exit(code)
}

func TestA0Clean(t *testing.T) {}
func TestA1Lose(t *testing.T)  { Lose() }

func TestB0Ends(t *testing.T) {
	t.Cleanup(func() { at("cleanup") })
	at("test")
	t.Run("sub", func(t *testing.T) { at("subtest") })
	if where == "goroutine" {
		done := make(chan bool)
		go func() {
			defer close(done)
			at("goroutine")
		}()
		<-done
	}
	if where == "thread" {
		EndInThread(how)
	}
}

var _ = Describe("suite", Ordered, func() {
	AfterAll(func() { at("node") })
	It("comes first", func() {})
	It("ends", func() { at("spec") })
	It("comes last", func() {})
})

func TestB1Suite(t *testing.T) { RunSpecs(t, "Suite") }

func TestC0Clean(t *testing.T) {}
func TestC1Lose(t *testing.T)  { Lose() }
func TestC2Bad(t *testing.T)   { Bad() }
