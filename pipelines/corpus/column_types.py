"""The types of columns: as they are in the shards, which of them can be kept, and the one that holds two."""

import pyarrow as pa
from pyarrow import types

# How many bits of an integer a float holds exactly, by its own bits.
EXACT_BITS = {16: 11, 32: 24, 64: 53}
LOSSLESS = (
    (pa.string(), pa.large_string()),
    (pa.binary(), pa.large_binary()),
    (pa.date32(), pa.date64()),
)


def is_string(kind: pa.DataType) -> bool:
    """Whether the type is one of Arrow's string types, or a dictionary of one."""
    if types.is_dictionary(kind):
        return is_string(kind.value_type)
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that a kept column has in the shards: a dictionary's values, and no views, at any depth."""
    if types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if types.is_string_view(kind):
        return pa.string()
    if types.is_binary_view(kind):
        return pa.binary()
    if types.is_map(kind):
        return pa.map_(_plain_field(kind.key_field), _plain_field(kind.item_field), kind.keys_sorted)
    if types.is_struct(kind):
        return pa.struct([_plain_field(field) for field in kind])
    if types.is_fixed_size_list(kind):
        return pa.list_(_plain_field(kind.value_field), kind.list_size)
    if types.is_list(kind) or types.is_list_view(kind):
        return pa.list_(_plain_field(kind.value_field))
    if types.is_large_list(kind) or types.is_large_list_view(kind):
        return pa.large_list(_plain_field(kind.value_field))
    return kind


def can_be_kept(kind: pa.DataType) -> bool:
    """Whether Arrow has what it takes to carry a column of this type into the shards."""
    plain = plain_type(kind)
    try:
        pa.nulls(0, kind).cast(plain).filter(pa.array([], pa.bool_()))
        pa.schema([("column", plain)]).empty_table()
    except pa.ArrowNotImplementedError:
        return False
    return True


def widened(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type that holds every value of both plain types as it is; None if there is none."""
    if one == other:
        return one
    schemas = [pa.schema([("column", kind)]) for kind in (one, other)]
    try:
        wide = pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    return wide if _holds(wide, one) and _holds(wide, other) else None


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(plain_type(field.type))


def _holds(wide: pa.DataType, narrow: pa.DataType) -> bool:
    """Whether each value of `narrow` is one of `wide` too. The types are as `unify_schemas` widens them."""
    if wide == narrow or types.is_null(narrow):
        return True
    if types.is_struct(wide) and types.is_struct(narrow):
        return _holds_fields(wide, narrow)
    if types.is_map(wide) and types.is_map(narrow):
        return _holds(wide.key_type, narrow.key_type) and _holds(wide.item_type, narrow.item_type)
    if _is_list(wide) and _is_list(narrow):
        return _holds(wide.value_type, narrow.value_type)
    return _holds_number(wide, narrow) or (narrow, wide) in LOSSLESS


def _holds_fields(wide: pa.StructType, narrow: pa.StructType) -> bool:
    """A field that `narrow` lacks is null there, if it may be."""
    names = {field.name for field in narrow}
    may_lack = all(field.nullable for field in wide if field.name not in names)
    return may_lack and all(_holds(wide.field(field.name).type, field.type) for field in narrow)


def _holds_number(wide: pa.DataType, narrow: pa.DataType) -> bool:
    if types.is_integer(narrow) and types.is_integer(wide):
        signs_fit = types.is_signed_integer(wide) or types.is_unsigned_integer(narrow)
        return signs_fit and wide.bit_width > narrow.bit_width
    if types.is_integer(narrow) and types.is_floating(wide):
        return narrow.bit_width <= EXACT_BITS[wide.bit_width]
    if types.is_floating(narrow) and types.is_floating(wide):
        return wide.bit_width > narrow.bit_width
    if types.is_decimal(narrow) and types.is_decimal(wide):
        return wide.scale >= narrow.scale and wide.precision - wide.scale >= narrow.precision - narrow.scale
    return types.is_time32(narrow) and types.is_time64(wide)


def _is_list(kind: pa.DataType) -> bool:
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
