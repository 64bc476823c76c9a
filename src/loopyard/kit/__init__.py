"""Small pieces every resource shares. Nothing here knows of any resource."""
