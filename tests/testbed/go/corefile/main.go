// SPDX-FileCopyrightText: netops.kubernetes contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// The judge of Corefiles: CoreDNS' own parser and the set-up of its own plugins, for many texts in one process.
//
// Each line of the input is a JSON object with the path and the text of a Corefile; each line of the output has the
// refusal, empty where CoreDNS would go on and open its ports.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	_ "github.com/coredns/coredns/core/plugin"
)

type question struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

type answer struct {
	Refusal string `json:"refusal"`
}

func main() {
	log.SetOutput(io.Discard)
	prepare()
	in := bufio.NewReader(os.Stdin)
	// Plugins print; the answers have the real output for themselves.
	out := json.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked question
		if err := json.Unmarshal(line, &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		if err := out.Encode(answer{within(5*time.Second, asked)}); err != nil {
			os.Exit(2)
		}
	}
}

// within waits for a judgement, but not for ever: some plugins wait for servers that are not there.
func within(limit time.Duration, asked question) string {
	judged := make(chan string, 1)
	go func() { judged <- judge(asked) }()
	select {
	case refusal := <-judged:
		return refusal
	case <-time.After(limit):
		return "no judgement within " + limit.String()
	}
}

// judge says why CoreDNS refuses a text; a panic of its own is a refusal too.
func judge(asked question) (refusal string) {
	defer func() {
		if fault := recover(); fault != nil {
			refusal = fmt.Sprintf("panic: %v", fault)
		}
	}()
	if err := load(asked.Path, []byte(asked.Text)); err != nil {
		return err.Error()
	}
	return ""
}
