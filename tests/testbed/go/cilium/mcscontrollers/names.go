// SPDX-FileCopyrightText: netops.kubernetes contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Package controllers is what Cilium's operator takes of a module that cannot be downloaded: one annotation's name.
package controllers

// DerivedServiceAnnotation marks a Service that was made of a ServiceImport.
const DerivedServiceAnnotation = "multicluster.kubernetes.io/derived-service"
