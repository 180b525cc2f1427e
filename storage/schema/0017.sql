-- Results that few deliveries have. The index that finds messages by their words lies in a database of its own, see searchSchema.
CREATE INDEX delivery_result_rare ON delivery_result (message, id) WHERE state IN ('filtered', 'missed');
