# System
{% if identity %}
/system identity set name={{ identity }}
{% endif %}
{% if router_password %}
/user set [find where name="admin"] password={{ router_password }}
{% endif %}
