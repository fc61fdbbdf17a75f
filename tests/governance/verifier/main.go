// An independent verifier of the audit trail: nothing of Lakeward's, only Go's note and tlog and transparency-dev's
// Merkle proofs and formats.
//
//	verifier FOLDER
//	verifier note KEYS NOTE
//
// FOLDER is an export (entries.jsonl, checkpoint, keys), to which may be added proofs/*.json, as lakeward audit prove
// writes them, and consistency.json, as lakeward audit prove-consistency does.
// NOTE is an electronic signature, KEYS a file with its signer's public keys: the text that they signed is printed.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	checkpoint "github.com/transparency-dev/formats/log"
	tlogproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var hasher = rfc6962.DefaultHasher

func main() {
	log.SetFlags(0)
	folder := os.Args[1]
	if folder == "note" {
		opened, err := note.Open(read("", os.Args[3]), verifiers(read("", os.Args[2])))
		must(err, "signed note")
		fmt.Print(opened.Text)
		return
	}
	keys := verifiers(read(folder, "keys"))
	head := open(read(folder, "checkpoint"), keys)
	entries(folder, head)
	files, _ := filepath.Glob(filepath.Join(folder, "proofs", "*.json"))
	for _, file := range files {
		inclusion(file, keys)
	}
	if _, err := os.Stat(filepath.Join(folder, "consistency.json")); err == nil {
		consistency(read(folder, "consistency.json"), keys)
	}
	fmt.Printf("%d entries, %d proofs\n", head.Size, len(files))
}

func verifiers(keys []byte) note.Verifiers {
	var known []note.Verifier
	for _, vkey := range strings.Fields(string(keys)) {
		verifier, err := note.NewVerifier(vkey)
		must(err, "key")
		known = append(known, verifier)
	}
	return note.VerifierList(known...)
}

func open(text []byte, keys note.Verifiers) checkpoint.Checkpoint {
	opened, err := note.Open(text, keys)
	must(err, "signed note")
	var head checkpoint.Checkpoint
	_, err = head.Unmarshal([]byte(opened.Text))
	must(err, "checkpoint")
	return head
}

// entries builds the tree of all entries, and follows the chain.
func entries(folder string, head checkpoint.Checkpoint) {
	file, err := os.Open(filepath.Join(folder, "entries.jsonl"))
	must(err, "entries")
	defer file.Close()
	tree := (&compact.RangeFactory{Hash: hasher.HashChildren}).NewEmptyRange(0)
	previous := make([]byte, 32)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var line struct{ Entry string }
		must(json.Unmarshal(lines.Bytes(), &line), "line")
		var entry struct {
			Previous string
			Sequence uint64
		}
		must(json.Unmarshal([]byte(line.Entry), &entry), "entry")
		if entry.Sequence != tree.End() || entry.Previous != fmt.Sprintf("%x", previous) {
			log.Fatalf("entry %d does not continue the chain", tree.End())
		}
		previous = hasher.HashLeaf([]byte(line.Entry))
		must(tree.Append(previous, nil), "append")
	}
	must(lines.Err(), "entries")
	root, err := tree.GetRootHash(nil)
	must(err, "root")
	if tree.End() != head.Size || !bytes.Equal(root, head.Hash) {
		log.Fatalf("the %d entries are not the signed tree of %d", tree.End(), head.Size)
	}
}

// inclusion checks a proof by two implementations.
func inclusion(file string, keys note.Verifiers) {
	text, err := os.ReadFile(file)
	must(err, file)
	var given struct{ Entry, Proof string }
	must(json.Unmarshal(text, &given), file)
	var found tlogproof.TLogProof
	must(found.Unmarshal([]byte(given.Proof)), file)
	head := open(found.Checkpoint, keys)
	leaf := hasher.HashLeaf([]byte(given.Entry))
	path := make([][]byte, len(found.Hashes))
	record := make(tlog.RecordProof, len(found.Hashes))
	for i := range found.Hashes {
		path[i], record[i] = found.Hashes[i][:], found.Hashes[i]
	}
	must(proof.VerifyInclusion(hasher, found.Index, head.Size, leaf, path, head.Hash), file)
	must(tlog.CheckRecord(record, int64(head.Size), tlog.Hash(head.Hash), int64(found.Index), tlog.Hash(leaf)), file)
}

// consistency checks by two implementations that an older tree is the beginning of a newer one.
func consistency(text []byte, keys note.Verifiers) {
	var given struct {
		Older, Newer string
		Hashes       [][]byte
	}
	must(json.Unmarshal(text, &given), "consistency")
	older, newer := open([]byte(given.Older), keys), open([]byte(given.Newer), keys)
	var tree tlog.TreeProof
	for _, hash := range given.Hashes {
		tree = append(tree, tlog.Hash(hash))
	}
	must(proof.VerifyConsistency(hasher, older.Size, newer.Size, given.Hashes, older.Hash, newer.Hash), "consistency")
	must(tlog.CheckTree(tree, int64(newer.Size), tlog.Hash(newer.Hash), int64(older.Size), tlog.Hash(older.Hash)), "tree")
}

func read(folder, name string) []byte {
	text, err := os.ReadFile(filepath.Join(folder, name))
	must(err, name)
	return text
}

func must(err error, what string) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}
