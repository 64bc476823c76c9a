"""What models' answers that pass through the gateway have used: counted, priced, limited and, if asked, recorded."""
