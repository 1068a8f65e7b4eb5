{#- For the bench: what makes a factory-fresh board reach this ACS by TR-069, and no more.

A board keeps it as its default configuration: it runs once after the delivery, and again after every
reset, until Netinstall replaces it. Nothing of it was verified on hardware. These notes go to no board;
each line below does, and all of them, with a CA, must fit into 4000 bytes.

RouterOS speaks TR-069 by a package of its own, `tr069-client`, which is in no bundle. Whether boards
have it as they come is not known. Ways around that gap:

1. Netinstall. Arm the board by its MAC address, with a release and `tr069-client`; this template is its
   default configuration then. It formats the board. The sure way, and the one for boards whose
   device-mode is `home`.
2. Boards that come with the package, by the order or by a branding kit: this template is enough.
3. `bench-fetch`: the board gets the package over the Internet, restarts, and goes on.
4. `bench-mode` as the mode script beside `bench-fetch`, where the factory forbids to fetch: for boards
   with RouterOS 7.22 or later, and with a netboot profile that knows how one is sent. None does yet.

Without the package the last step writes an error into the board's log, and the rest stands: the board
has a password, a firewall and an address, and can be reached by nobody but whom the password lets in.
-#}
{% set url = acs_url | default(value=acs.url) -%}
# Muster. Not verified on hardware.
{% set is_tight = false -%}
#part acs
#part client
