"""Usage of models through the gateway, read from their answers: counted, priced, limited and, if asked, recorded."""
