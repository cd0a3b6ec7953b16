// A service small enough to read at a glance.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
)

var version = "dev"

func main() {
	health := flag.Bool("health", false, "ask the running service whether it is well")
	flag.Parse()
	if *health {
		if answer, err := http.Get("http://127.0.0.1:8080/"); err != nil || answer.StatusCode != http.StatusOK {
			os.Exit(1)
		}
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "service", version) })
	log.Fatal(http.ListenAndServe(":8080", nil))
}
