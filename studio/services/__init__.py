"""What a user can do, one file per verb. Plain values in, plain values out: no tensor and no widget crosses here."""
