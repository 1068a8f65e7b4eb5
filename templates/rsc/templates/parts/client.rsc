:do {
:if ([:len [/ip dhcp-client find interface={{ wan_interface }}]]=0) do={ /ip dhcp-client add interface={{ wan_interface }} disabled=no }
} on-error={ $e DHCP }
{# A script that names a menu which is not there is refused as a whole, so without the package nothing at
   all would be done; a text that is parsed when its turn comes costs but itself. Its values are handed
   to it, and never become part of a script. The MAC address comes back in every inform. -#}
:do {
:local client [:parse ("/tr069-client set acs-url=\$url username=\$user password=\$key provisioning-code=\$code " . \
"periodic-inform-enabled=yes periodic-inform-interval=\$every enabled=yes")]
$client url={{ url }} user={% if acs_username %}{{ acs_username }}{% else %}{{ acs.username }}{% endif %} key={{ acs_password }} code={% if provisioning_code %}{{ provisioning_code }}{% elif board.mac %}{{ board.mac }}{% else %}""{% endif %} every={{ inform_interval }}
{% if ca_certificate or public_ca -%}
:local check [:parse "/tr069-client set check-certificate=yes"]
$check
{% endif -%}
} on-error={ :log error "muster: this board has no package tr069-client" }
