// SPDX-FileCopyrightText: netops.kubernetes contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//go:build caddyserver

package main

import (
	"reflect"
	"unsafe"

	"github.com/caddyserver/caddy"
	"github.com/coredns/coredns/core/dnsserver"
)

// prepare lets the servers be made, and not started, after the last plugin's set-up.
func prepare() {
	last := dnsserver.Directives[len(dnsserver.Directives)-1]
	caddy.RegisterParsingCallback("dns", last, func(context caddy.Context) error {
		_, err := context.MakeServers()
		return err
	})
}

func load(path string, text []byte) error {
	input := caddy.CaddyfileInput{Filepath: path, Contents: text, ServerTypeName: "dns"}
	instance := &caddy.Instance{Storage: map[interface{}]interface{}{}}
	// Only caddy.Start sets the type of server, and it opens ports.
	field := reflect.ValueOf(instance).Elem().FieldByName("serverType")
	*(*string)(unsafe.Pointer(field.UnsafeAddr())) = input.ServerTypeName
	return caddy.ValidateAndExecuteDirectives(input, instance, false)
}
