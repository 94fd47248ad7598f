# Targets for people and for continuous integration; `make help` lists them.
SHELL := /bin/bash
CONFIGURATION := Release
SOLUTION := Arrakis.sln

export DOTNET_NOLOGO := 1
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
# No build server outlives its build, so a target leaves no process behind.
export MSBUILDDISABLENODEREUSE := 1
export DOTNET_CLI_USE_MSBUILD_SERVER := 0
export UseSharedCompilation := false

.DEFAULT_GOAL := help
.PHONY: help setup build test test-hardware lab demo bench-udp bench-nic bench-storage bench-nvme bench-gc bench-micro plots pack publish install format clean

help: ## Lists the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Installs all that the other targets need (root; Debian).
	@scripts/setup build test demo

build: ## Builds everything.
	@scripts/setup build
	dotnet build $(SOLUTION) -c $(CONFIGURATION) -v q

test: ## Checks the format and runs all tests; the last line counts them (root).
	@scripts/setup build test lab
	dotnet build $(SOLUTION) -c $(CONFIGURATION) -v q
	@scripts/test $(CONFIGURATION)

test-hardware: ## Runs of them those of bindings of hardware, in a virtual machine (root).
	@scripts/setup build test lab
	dotnet build $(SOLUTION) -c $(CONFIGURATION) -v q
	@scripts/test $(CONFIGURATION) Arrakis.Hardware.Tests

lab: ## Boots a virtual machine with an IOMMU and SR-IOV devices, and gives a shell with the built programs in it (root).
	@scripts/setup build lab
	dotnet build $(SOLUTION) -c $(CONFIGURATION) -v q
	@scripts/lab/boot --configuration $(CONFIGURATION)

demo: ## Shows ping, echo, a second process and the measurement beside kernel sockets (root).
	@scripts/setup build demo
	dotnet build $(SOLUTION) -c $(CONFIGURATION) -v q
	@scripts/demo

bench-udp: ## Writes round trips beside kernel sockets and DPDK to artifacts/bench-udp.json; QUICK=1 is a short form (root).
	@scripts/setup build demo bench
	dotnet build $(SOLUTION) -c $(CONFIGURATION) -v q
	@scripts/bench-udp

bench-nic: ## Writes frames a second and cycles a frame beside DPDK's driver to artifacts/bench-nic.json; QUICK=1 is a short form (root).
	@scripts/setup build bench
	dotnet build $(SOLUTION) -c $(CONFIGURATION) -v q
	@scripts/bench-nic

bench-nvme: ## Writes what the NVMe driver takes for a request, beside the same in C, to artifacts/bench-nvme.json; QUICK=1 is a short form.
	@scripts/setup build
	dotnet build benchmarks/Arrakis.NvmeCost -c $(CONFIGURATION) -v q
	@scripts/bench-nvme

bench-storage: ## Writes storage areas beside the kernel's files to artifacts/bench-storage.json; QUICK=1 is a short form (root).
	@scripts/setup build bench
	dotnet build $(SOLUTION) -c $(CONFIGURATION) -v q
	@scripts/bench-storage

bench-gc: ## Writes what collections do to the tail to artifacts/bench-gc.json; QUICK=1 is a short form (root).
	@scripts/setup build demo aot
	dotnet build $(SOLUTION) -c $(CONFIGURATION) -v q
	dotnet publish benchmarks/Arrakis.UdpEchoServer -c $(CONFIGURATION) -v q --use-current-runtime -p:PublishAot=true -p:ArtifactsPath=$(CURDIR)/artifacts/aot/build -o artifacts/aot
	@scripts/bench-gc

bench-micro: ## Writes nanoseconds and allocated bytes of each part to artifacts/bench-micro; QUICK=1 is a short form.
	@scripts/setup build
	dotnet build benchmarks/Arrakis.Benchmarks -c $(CONFIGURATION) -v q
	@scripts/bench-micro

plots: ## Draws the pictures of the pages, docs/pictures/*.svg, from what the bench targets left in artifacts.
	@scripts/setup build plots
	dotnet build benchmarks/Arrakis.Plots -c $(CONFIGURATION) -v q
	@scripts/plots

pack: ## Writes the NuGet packages to artifacts/packages.
	@scripts/setup build
	rm -rf artifacts/packages
	dotnet pack packaging/packages.slnf -c $(CONFIGURATION) -v q -p:ContinuousIntegrationBuild=true -o artifacts/packages
	@ls -1 artifacts/packages

publish: ## Writes the programs to artifacts/publish.
	@scripts/setup build
	rm -rf artifacts/publish
	for project in ControlPlane SoftDevice Ctl; do \
		dotnet publish src/Arrakis.$$project -c $(CONFIGURATION) -v q -o artifacts/publish || exit 1; \
	done
	rm -f artifacts/publish/*.xml

install: publish ## Installs programs, units, completions, and configuration where there is none; DESTDIR is respected (root).
	scripts/install "$(DESTDIR)"

format: ## Formats the code.
	dotnet format $(SOLUTION)

clean: ## Removes everything that was built.
	rm -rf artifacts
