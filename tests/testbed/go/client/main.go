// SPDX-FileCopyrightText: netops.kubernetes contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// The client that tests run inside pods and on nodes: one static program without dependencies.
//
//	serve [:PORT]            HTTP that answers with its name, and a UDP echo on the same port
//	get URL [TIMEOUT]        one HTTP request
//	tcp HOST:PORT [TIMEOUT]  one TCP connection: open, refused or timeout
//	udp HOST:PORT [TIMEOUT]  one UDP echo with a nonce
//	lookup NAME [SERVER]     addresses of a name
//	watch HOST:PORT EVERY FOR   new connections at a fixed pace; prints attempts and failures
//	pause                    waits for a signal: the sandbox container
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const defaultTimeout = 3 * time.Second

func main() {
	arguments := os.Args[1:]
	if len(arguments) == 0 {
		arguments = []string{"pause"}
	}
	if err := run(arguments[0], arguments[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func run(command string, arguments []string) error {
	switch command {
	case "serve":
		return serve(argument(arguments, 0, ":8080"))
	case "get":
		return get(argument(arguments, 0, ""), timeout(arguments, 1))
	case "tcp":
		return connect(argument(arguments, 0, ""), timeout(arguments, 1))
	case "udp":
		return echo(argument(arguments, 0, ""), timeout(arguments, 1))
	case "lookup":
		return lookup(argument(arguments, 0, ""), argument(arguments, 1, ""))
	case "watch":
		return watch(argument(arguments, 0, ""), timeout(arguments, 1), timeout(arguments, 2))
	case "pause":
		return pause()
	}
	return fmt.Errorf("unknown command %q", command)
}

func argument(arguments []string, index int, otherwise string) string {
	if index < len(arguments) {
		return arguments[index]
	}
	return otherwise
}

func timeout(arguments []string, index int) time.Duration {
	if parsed, err := time.ParseDuration(argument(arguments, index, "")); err == nil {
		return parsed
	}
	return defaultTimeout
}

func serve(address string) error {
	name, _ := os.Hostname()
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	go func() {
		buffer := make([]byte, 64*1024)
		for {
			length, peer, err := packets.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo(buffer[:length], peer)
		}
	}()
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		_ = json.NewEncoder(writer).Encode(map[string]string{
			"pod": name, "node": os.Getenv("NODE"), "peer": request.RemoteAddr,
		})
	})
	return http.ListenAndServe(address, nil)
}

func get(url string, limit time.Duration) error {
	client := http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

// verdict tells a drop (nothing answers) from a refusal (something answers no).
func verdict(err error) string {
	var netError net.Error
	switch {
	case err == nil:
		return "open"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &netError) && netError.Timeout():
		return "timeout"
	}
	return err.Error()
}

func connect(address string, limit time.Duration) error {
	connection, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		return errors.New(verdict(err))
	}
	fmt.Println("open")
	return connection.Close()
}

func echo(address string, limit time.Duration) error {
	connection, err := net.DialTimeout("udp", address, limit)
	if err != nil {
		return errors.New(verdict(err))
	}
	defer func() { _ = connection.Close() }()
	nonce := make([]byte, 8)
	_, _ = rand.Read(nonce)
	sent := hex.EncodeToString(nonce)
	_ = connection.SetDeadline(time.Now().Add(limit))
	if _, err := io.WriteString(connection, sent); err != nil {
		return errors.New(verdict(err))
	}
	buffer := make([]byte, len(sent))
	if _, err := io.ReadFull(connection, buffer); err != nil {
		return errors.New(verdict(err))
	}
	if string(buffer) != sent {
		return fmt.Errorf("echo %q is not what was sent", buffer)
	}
	fmt.Println("open")
	return nil
}

func lookup(name, server string) error {
	resolver := net.Resolver{PreferGo: true}
	if server != "" {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*defaultTimeout)
	defer cancel()
	addresses, err := resolver.LookupHost(ctx, name)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(addresses, "\n"))
	return nil
}

func watch(address string, every, length time.Duration) error {
	counts := map[string]int{}
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(every) {
		connection, err := net.DialTimeout("tcp", address, defaultTimeout)
		counts[verdict(err)]++
		if err == nil {
			_ = connection.Close()
		}
	}
	return json.NewEncoder(os.Stdout).Encode(counts)
}

func pause() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	return nil
}
