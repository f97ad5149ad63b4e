// SPDX-FileCopyrightText: netops.kubernetes contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// What corefile-migration makes of a Corefile, and how long it takes.
//
//	corefile-migration FROM TO ROUNDS < Corefile
//
// The output is JSON: the text, and the seconds of one round.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/coredns/corefile-migration/migration"
)

type result struct {
	Text    string  `json:"text"`
	Seconds float64 `json:"seconds"`
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(from, to, count string) error {
	rounds, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var made result
	begin := time.Now()
	for round := 0; round < rounds; round++ {
		if made.Text, err = migration.Migrate(from, to, string(text), false); err != nil {
			return err
		}
	}
	made.Seconds = time.Since(begin).Seconds() / float64(rounds)
	return json.NewEncoder(os.Stdout).Encode(made)
}
