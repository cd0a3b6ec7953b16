// Greet says hello.
package main

import "fmt"

var version = "dev"

func greeting(name string) string {
	return "Hello, " + name + "!"
}

func main() {
	fmt.Println(greeting("container"), version)
}
