# SPDX-License-Identifier: Apache-2.0
"""The three networks of plated: data synthesis, training, export, evaluation."""
