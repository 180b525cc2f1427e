package config

import (
	"regexp"
	"strings"
)

// lost says whether the value of a key names a variable that is not set: that it is missing is no fault of its own. A key and the
// file that may stand in its place are one.
func (v *validator) lost(key string) bool {
	return v.faults.lost[key] || v.faults.lost[strings.TrimSuffix(key, "s")+"_file"]
}

// lostWithin says whether a value within a section is lost, so that nobody can tell what the section lacks.
func (v *validator) lostWithin(section string) bool {
	for key := range v.faults.lost {
		if rest, within := strings.CutPrefix(key, section); within && rest != "" && (rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// What others refer to.
var (
	accountNames  = regexp.MustCompile(`^accounts\[\d+\]\.name$`)
	endpointNames = regexp.MustCompile(`^(accounts|endpoints)\[\d+\]\.(name|account)$|^domains\[\d+\]\.account$`)
	checkNames    = regexp.MustCompile(`^recipient_checks\[\d+\]\.name$`)
	replyKeys     = regexp.MustCompile(`^(accounts|domains)\[\d+\]\.(reply_key|name|account)`)
)

// lostAny says whether one of such values is lost, so that whoever refers to it may be right.
func (v *validator) lostAny(keys *regexp.Regexp) bool {
	for key := range v.faults.lost {
		if keys.MatchString(key) {
			return true
		}
	}
	return false
}
