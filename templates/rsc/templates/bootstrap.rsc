{% set url = acs_url | default(value=acs.url) -%}
# Muster bootstrap. Ends within 50 s of the 120 that a board allows. Not verified on hardware.
{% set is_tight = false -%}
#part acs
#part client
