# METADATA
# title: Text written by a model fetches and runs nothing
# description: >-
#   Words of a model may be those of an attacker who wrote them into a log. New addresses, programs that
#   fetch, and characters that can't be seen have no place in a value.
# custom:
#   severity: critical
#   term: text written by a model
package aifix.model_text

import data.aifix.kubernetes

deny contains verdict if {
	some [change, text] in written
	count(text) > data.aifix.model.text_length
	verdict := kubernetes.verdict(change, "", sprintf("a model wrote a value of %v characters", [count(text)]))
}

deny contains verdict if {
	some [change, text] in written
	regex.match(`[\x00-\x08\x0b-\x1f\x7f\x{ad}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2069}\x{feff}]`, text)
	verdict := kubernetes.verdict(change, "", "a model wrote characters that can't be seen")
}

deny contains verdict if {
	some [change, text] in written
	some found in regex.find_n(`(?i)(^|[\s;|&(/])(curl|wget|ncat|nc|socat|eval|base64)\s|\|\s*(ba|da|a)?sh\b|\x60|\$\([^)]*\s`, text, -1)
	not known(change, found)
	verdict := kubernetes.verdict(change, "", sprintf("a model wrote words that fetch or run something (%s)", [trim_space(found)]))
}

deny contains verdict if {
	some [change, text] in written
	some address in regex.find_n(`[A-Za-z][A-Za-z0-9+.-]*://[^/\s"']+`, text, -1)
	not known(change, address)
	verdict := kubernetes.verdict(change, "", sprintf("a model wrote the address %s, which was not there", [address]))
}

# `[change, text]` of each text in what a model wants to write.
written contains [change, text] if {
	input.author == "model"
	some change in input.changes
	change.intended == true
	some edit in input.intent.edits
	walk(edit.new, [_, text])
	is_string(text)
}

# The object had it before.
known(change, words) if {
	walk(change.before, [_, text])
	is_string(text)
	contains(text, words)
}
