from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="JobRun",
            fields=[
                (
                    "job",
                    models.CharField(max_length=100, primary_key=True, serialize=False),
                ),
                ("ran_at", models.DateTimeField(null=True)),
                ("failed_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="WorkerHeartbeat",
            fields=[
                (
                    "worker",
                    models.CharField(max_length=255, primary_key=True, serialize=False),
                ),
                ("alive_until", models.DateTimeField()),
            ],
        ),
    ]
