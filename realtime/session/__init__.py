"""A recorded session: one folder that can be analysed again, looked at and handed on."""
