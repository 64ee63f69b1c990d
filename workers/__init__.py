"""What happens after the answer: deliveries, mails, housekeeping."""
