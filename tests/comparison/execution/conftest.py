"""Plans that travel are opened here, in the process that packed them."""

import keras
import pytest
from keras.src.saving import object_registration


@pytest.fixture(autouse=True)
def _registered_objects_stay():
    """Restores what is registered: a plan that is opened registers its own copies, as another process has none."""
    tables = keras.saving.get_custom_objects(), object_registration.GLOBAL_CUSTOM_NAMES
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)
