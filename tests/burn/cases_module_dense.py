"""Cases for Burn's embedding, linear layers, normalisation and attention, and their backward operations."""

import math

import numpy as np

from tests.burn.harness import FLOATS, SPECIAL, Arg, Case, T, indices


def embedding_backward(weights, out_grad, indices):
    found = np.zeros(weights.shape)
    for at in np.ndindex(*indices.shape):
        found[indices[at]] += out_grad[at]
    return found


def linear(x, weight, bias):
    return np.einsum("...i,io->...o", x, weight) + (0 if bias is None else bias)


def linear_weight_backward(x, output_grad):
    found = np.zeros((x.shape[-1], output_grad.shape[-1]))
    for at in np.ndindex(*x.shape[:-1]):
        found += np.outer(x[at], output_grad[at])
    return found


def batch_norm(x, gamma, beta, mean, variance, epsilon):
    gamma, beta, mean, variance = (a.reshape(-1, *(1,) * (x.ndim - 2)) for a in (gamma, beta, mean, variance))
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def layer_norm(input, gamma, beta, epsilon):
    centred = input - input.mean(-1, keepdims=True)
    y = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * gamma
    return y if beta is None else y + beta


def attention(query, key, value, mask=None, attn_bias=None, scale=None, softcap=None, is_causal=False):
    """Row by row, over the keys that are left."""
    lead, n_queries, n_keys = query.shape[:2], query.shape[2], key.shape[2]
    hidden = np.broadcast_to(False if mask is None else mask, (*lead, n_queries, n_keys))
    bias = np.broadcast_to(0.0 if attn_bias is None else attn_bias, hidden.shape)
    y = np.zeros((*lead, n_queries, value.shape[-1]))
    for *at, i in np.ndindex(*lead, n_queries):
        of = tuple(at)
        seen = [j for j in range(n_keys) if not hidden[(*of, i, j)] and not (is_causal and j > i + n_keys - n_queries)]
        s = np.array([query[(*of, i)] @ key[(*of, j)] for j in seen])
        s = s * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        s = s if softcap is None else softcap * np.tanh(s / softcap)
        s = s + np.array([bias[(*of, i, j)] for j in seen])
        if seen and s.max() > -np.inf:
            weights = np.exp(s - s.max())
            y[(*of, i)] = weights / weights.sum() @ value[of][seen]
    return y


QUERY = {"query": T(2, 3, 4, 5), "key": T(2, 3, 6, 5), "value": T(2, 3, 6, 2)}
PLAIN = {"mask": None, "attn_bias": None, "scale": None, "softcap": None, "is_causal": False}
ALL_HIDDEN = np.array([[True] * 6, [False, True] * 3, [True, True, False, False, True, True], [True] * 6])
BIAS_AT_ENDS = np.where(ALL_HIDDEN, -np.inf, 0.25)


def attends(label, operands=None, attributes=None, dtypes=FLOATS):
    given = QUERY | (operands or {})
    options = {k: v for k, v in (PLAIN | (attributes or {})).items() if k not in given}
    return Case("Module.Attention", given, options, attention, dtypes, label=label)


CHANNELS = {"gamma": T(3), "beta": T(3), "mean": T(3), "variance": T(3, limits=(0.3, 2.0))}

CASES = [
    Case(
        "Module.Embedding",
        {"weights": T(5, 3), "indices": indices(2, 4, below=5)},
        {},
        lambda weights, indices: weights[indices],
        FLOATS,
        exact=True,
    ),
    Case(
        "Module.Embedding",
        {"weights": T(5, 3), "indices": indices(2, 0, below=5)},
        {},
        lambda weights, indices: weights[indices],
        FLOATS,
        label="empty",
    ),
    Case(
        "Module.EmbeddingBackward",
        {"weights": T(5, 3), "out_grad": T(2, 4, 3), "indices": np.array([[1, 1, 4, 0], [1, 4, 3, 1]], np.int32)},
        {},
        embedding_backward,
        FLOATS,
        label="repeats",
    ),
    *(
        Case("Module.Linear", {"x": T(*lead, 3), "weight": T(3, 5), "bias": T(5)}, {}, linear, FLOATS, label=f"{lead}")
        for lead in ((), (2,), (2, 4), (0, 2))
    ),
    Case("Module.Linear", {"x": T(2, 4, 3), "weight": T(3, 5)}, {"bias": None}, linear, FLOATS, label="no bias"),
    *(
        case
        for lead in ((), (2,), (2, 4), (0, 2))
        for case in (
            Case(
                "Module.LinearXBackward",
                {"weight": T(3, 5), "output_grad": T(*lead, 5)},
                {},
                lambda weight, output_grad: np.einsum("io,...o->...i", weight, output_grad),
                FLOATS,
                label=f"{lead}",
            ),
            Case(
                "Module.LinearWeightBackward",
                {"x": T(*lead, 3), "output_grad": T(*lead, 5)},
                {},
                linear_weight_backward,
                FLOATS,
                label=f"{lead}",
            ),
            Case(
                "Module.LinearBiasBackward",
                {"output_grad": T(*lead, 5)},
                {},
                lambda output_grad: output_grad.reshape(math.prod(output_grad.shape[:-1]), -1 if output_grad.size else 5).sum(
                    0
                ),
                FLOATS,
                label=f"{lead}",
            ),
        )
    ),
    *(
        Case("Module.BatchNorm", {"x": T(*shape)} | CHANNELS, {"epsilon": 1e-3}, batch_norm, FLOATS, label=f"{shape}")
        for shape in ((2, 3), (2, 3, 4), (2, 3, 4, 5), (0, 3, 4))
    ),
    Case(
        "Module.BatchNorm",
        {"x": T(2, 3, 4)} | CHANNELS | {"variance": np.array([0.0, 1.0, 0.0])},
        {"epsilon": 1e-2},
        batch_norm,
        SPECIAL,
        label="no variance",
    ),
    *(
        Case(
            "Module.LayerNorm",
            {"input": T(*shape), "gamma": T(5), "beta": T(5)},
            {"epsilon": 1e-5},
            layer_norm,
            FLOATS,
            label=f"{shape}",
        )
        for shape in ((5,), (2, 5), (2, 3, 4, 5), (0, 5))
    ),
    Case("Module.LayerNorm", {"input": T(2, 3, 5), "gamma": T(5)}, {"beta": None, "epsilon": 0.5}, layer_norm, label="no beta"),
    Case(
        "Module.LayerNorm",
        {"input": np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]]), "gamma": T(3), "beta": T(3)},
        {"epsilon": 1e-5},
        layer_norm,
        SPECIAL,
        label="no variance",
    ),
    attends(""),
    attends("scale, softcap", attributes={"scale": 0.7, "softcap": 1.5}),
    attends("mask", {"mask": Arg((2, 1, 4, 6), "bool")}),
    attends("all hidden", {"mask": ALL_HIDDEN}),
    attends("bias", {"attn_bias": T(3, 4, 6)}),
    attends("bias of -inf", {"attn_bias": BIAS_AT_ENDS}, dtypes=SPECIAL),
    attends("causal, more keys", attributes={"is_causal": True}),
    attends("causal, more queries", {"key": T(2, 3, 3, 5), "value": T(2, 3, 3, 2)}, {"is_causal": True}),
    attends(
        "everything",
        {"mask": Arg((2, 1, 1, 6), "bool"), "attn_bias": T(2, 3, 4, 6)},
        {"is_causal": True, "softcap": 2.0, "scale": 0.5},
    ),
]
