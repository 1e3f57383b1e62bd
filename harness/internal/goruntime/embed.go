package goruntime

import "embed"

// The files that the overlay adds to the runtime and to testing, or pieces of them.
//
//go:embed files
var embedded embed.FS
