#!/bin/sh
# What udhcpc calls: takes the address that it got, and says what else it was told.
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
env | grep -E '^(ip|mask|subnet|router|siaddr|serverid|boot_file|lease)='
