"""What a record is written as for other tools: model card, bill of materials."""
