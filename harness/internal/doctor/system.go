package doctor

import (
	"bufio"
	"os"
	"strings"
)

// system is a Linux distribution.
type system struct {
	name     string // as it calls itself: "Debian GNU/Linux 12 (bookworm)"
	codename string // "bookworm"
	family   string // "debian", "ubuntu", "fedora"; empty for others
}

// readSystem reads os-release(5).
func readSystem(file string) system {
	f, err := os.Open(file)
	if err != nil {
		return system{}
	}
	defer f.Close()
	values := map[string]string{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if key, value, ok := strings.Cut(sc.Text(), "="); ok {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	s := system{name: values["PRETTY_NAME"], codename: values["VERSION_CODENAME"]}
	for _, id := range append([]string{values["ID"]}, strings.Fields(values["ID_LIKE"])...) {
		switch id {
		case "ubuntu", "debian", "fedora":
			s.family = id
		case "rhel", "centos":
			s.family = "fedora"
		default:
			continue
		}
		break
	}
	return s
}

// packages are the names of the packages that hold something.
type packages struct{ apt, dnf string }

// install is the command that installs packages, or says which to look for.
func (s system) install(p packages) string {
	switch s.family {
	case "debian", "ubuntu":
		return "apt-get install " + p.apt
	case "fedora":
		return "dnf install " + p.dnf
	}
	return "install what Debian calls " + p.apt
}

// debugSymbols says how to get the debug symbols of a package; pkg may be empty.
func (s system) debugSymbols(pkg string) string {
	server := map[string]string{
		"debian": "https://debuginfod.debian.net", "ubuntu": "https://debuginfod.ubuntu.com",
		"fedora": "https://debuginfod.fedoraproject.org",
	}[s.family]
	if server == "" {
		return "install its debug symbols, or set DEBUGINFOD_URLS to your distribution's server and install debuginfod-find"
	}
	remedy := s.install(packages{apt: "debuginfod", dnf: "elfutils-debuginfod-client"}) + " && export DEBUGINFOD_URLS=" + server
	switch {
	case pkg == "":
	case s.family == "debian" && s.codename != "":
		remedy += "\nor: echo 'deb http://deb.debian.org/debian-debug " + s.codename + "-debug main'" +
			" >/etc/apt/sources.list.d/debug.list && apt-get update && apt-get install " + pkg + "-dbgsym"
	case s.family == "fedora":
		remedy += "\nor: dnf debuginfo-install " + pkg
	}
	return remedy
}
