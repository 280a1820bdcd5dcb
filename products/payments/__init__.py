"""Methods of payment, payments, refunds and disputes."""
