{#- A mode script for the bench. RouterOS 7.22 and later runs it once, before all other scripts, and
removes it; a board whose device-mode it changes restarts by itself, without a hand on its button. Older
RouterOS knows no mode script. Not verified on hardware.

In which form FlashFig hands one over is not known. No profile that comes with Muster says it, and a bench
that is armed with a mode script and such a profile refuses every board: learn one first, with an official
server (docs/flashfig.md).

What it is for: home routers come with device-mode `home`, which lets them neither fetch nor schedule.
`bench-fetch` needs the first, the way back of scripts (docs/templates.md) the second.

- `mode`: says all anew. What is allowed or forbidden one by one is as that mode has it then, but for
  what stands in the same line. Empty: only what stands in the line changes.
- `protected_routerboot`: the button and the boot loader then lead nowhere any more. A board whose
  password is lost is lost with it, but for the way that wipes all of it. It comes first: the change of
  the mode restarts the board.
-#}
# Muster: device-mode. RouterOS 7.22 or later. Not verified on hardware.
{% if protected_routerboot %}
/system routerboard settings set protected-routerboot=enabled
{% endif %}
/system device-mode update {% if mode %}mode={{ mode }} {% endif %}{% if install_any_version %}install-any-version=yes {% endif %}fetch={{ fetch }} scheduler={{ scheduler }}
