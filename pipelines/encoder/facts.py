"""What a loaded encoder is, as plain values. Imports no TensorFlow."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EncoderFacts:
    """generation: dict or list. pooled_width, sequence_width: of pooled_output and of sequence_output. layers: of
    encoder_outputs. max_positions: None where the model does not tell. fixed_length: the only sequence length its call
    takes, else None. parameters: all weights. flop: of a row, a polynomial of its length as `flop_by_length` gives it.
    """

    generation: str
    pooled_width: int
    sequence_width: int
    layers: int
    max_positions: int | None
    fixed_length: int | None
    parameters: int
    flop: tuple[float, ...]

    def flop_of_row(self, length: int) -> float:
        """Operations of the matrix products for a row of so many tokens; 0 where the model's graph does not tell."""
        operations = 0.0
        for coefficient in self.flop:  # by Horner's rule, since it is asked for each batch
            operations = operations * length + coefficient
        return float(round(operations))
