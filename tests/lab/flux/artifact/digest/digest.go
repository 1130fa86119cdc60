// Package digest names the digest algorithm.
package digest

import (
	"fmt"

	godigest "github.com/opencontainers/go-digest"
)

var Canonical = godigest.SHA256

func AlgorithmForName(name string) (godigest.Algorithm, error) {
	a := godigest.Algorithm(name)
	if !a.Available() {
		return "", fmt.Errorf("digest algorithm %q is not available", name)
	}
	return a, nil
}
