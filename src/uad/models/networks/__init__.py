"""Networks as plain `nn.Module`s: no data, no loss, no logging."""
